// A framework on the real scheduler driver of libmesos 1.11 (protocol v0), without any Mesos header: the
// few entry points are declared by their mangled names, as the symbols of the library have them. Commands
// come as lines on standard input, callbacks go as lines to standard output; messages are hexadecimal
// protobuf of the v0 package. Arguments: ip:port of the master, and a Credential if there is one. First line:
// a FrameworkInfo.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <new>
#include <sstream>
#include <string>
#include <vector>

typedef std::string str;

// ---- protobuf, by symbol ----

#define LITE "_ZN6google8protobuf11MessageLite"
#define CONST_LITE "_ZNK6google8protobuf11MessageLite"
#define STR "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
bool parse_from(void*, const str&) asm(LITE "15ParseFromStringERK" STR);
bool serialize_to(const void*, str*) asm(CONST_LITE "17SerializeToStringEPNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE");

#define CONSTRUCTOR(name, mangled) void name##_new(void*) asm("_ZN5mesos" mangled "C1Ev");
CONSTRUCTOR(framework_info, "13FrameworkInfo")
CONSTRUCTOR(credential, "10Credential")
CONSTRUCTOR(offer_id, "7OfferID")
CONSTRUCTOR(filters, "7Filters")
CONSTRUCTOR(task_id, "6TaskID")
CONSTRUCTOR(executor_id, "10ExecutorID")
CONSTRUCTOR(agent_id, "7SlaveID")
CONSTRUCTOR(task_info, "8TaskInfo")
CONSTRUCTOR(task_status, "10TaskStatus")
CONSTRUCTOR(offer, "5Offer")

// `New()` of a message allocates it: that tells how large one is, which vectors need.
void* new_offer(const void*) asm("_ZNK5mesos5Offer3NewEPN6google8protobuf5ArenaE");
void* new_task_info(const void*) asm("_ZNK5mesos8TaskInfo3NewEPN6google8protobuf5ArenaE");
void* new_task_status(const void*) asm("_ZNK5mesos10TaskStatus3NewEPN6google8protobuf5ArenaE");

static thread_local size_t largest = 0;
void* operator new(size_t size)
{
  if (size > largest) largest = size;
  void* memory = malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }

template <typename New>
static size_t size_of(New make, void (*construct)(void*))
{
  void* one = calloc(1, 65536);
  construct(one);
  largest = 0;
  ((void* (*)(const void*, void*))make)(one, nullptr);
  return largest;
}

static str unhex(const str& text)
{
  str bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back((char)strtol(text.substr(i, 2).c_str(), nullptr, 16));
  return bytes;
}

static str hex(const str& bytes)
{
  str text;
  char two[3];
  for (unsigned char byte : bytes) { snprintf(two, 3, "%02x", byte); text += two; }
  return text;
}

static str bytes_of(const void* message)
{
  str bytes;
  serialize_to(message, &bytes);
  return bytes;
}

static void* made(void (*construct)(void*), const str& encoded)
{
  void* message = calloc(1, 65536);
  construct(message);
  if (!parse_from(message, unhex(encoded))) { fprintf(stderr, "cannot parse %s\n", encoded.c_str()); exit(2); }
  return message;
}

/** A std::vector as the library sees it. */
struct Vector { char* begin; char* end; char* capacity; };

static std::mutex writing;
static void tell(const str& line)
{
  std::lock_guard<std::mutex> lock(writing);
  printf("%s\n", line.c_str());
  fflush(stdout);
}

static size_t offer_size;

// ---- mesos::Scheduler: the same virtual functions in the same order ----

struct Scheduler {
  virtual ~Scheduler() {}
  virtual void registered(void*, const void* id, const void*) { tell("registered " + hex(bytes_of(id))); }
  virtual void reregistered(void*, const void*) { tell("reregistered"); }
  virtual void disconnected(void*) { tell("disconnected"); }
  virtual void resourceOffers(void*, const Vector& offers)
  {
    for (char* at = offers.begin; at < offers.end; at += offer_size) tell("offer " + hex(bytes_of(at)));
  }
  virtual void offerRescinded(void*, const void* id) { tell("rescinded " + hex(bytes_of(id))); }
  virtual void statusUpdate(void*, const void* status) { tell("status " + hex(bytes_of(status))); }
  virtual void frameworkMessage(void*, const void* executor, const void* agent, const str& data)
  {
    tell("message " + hex(bytes_of(executor)) + " " + hex(bytes_of(agent)) + " " + hex(data));
  }
  virtual void slaveLost(void*, const void* id) { tell("lost " + hex(bytes_of(id))); }
  virtual void executorLost(void*, const void* executor, const void* agent, int status)
  {
    tell("executor-lost " + hex(bytes_of(executor)) + " " + hex(bytes_of(agent)) + " " + std::to_string(status));
  }
  virtual void error(void*, const str& message) { tell("error " + message); }
};

#define DRIVER "_ZN5mesos20MesosSchedulerDriver"
void driver_new(void*, Scheduler*, const void*, const str&) asm(
  DRIVER "C1EPNS_9SchedulerERKNS_13FrameworkInfoERK" STR);
void driver_new_known(void*, Scheduler*, const void*, const str&, const void*) asm(
  DRIVER "C1EPNS_9SchedulerERKNS_13FrameworkInfoERK" STR "RKNS_10CredentialE");
int driver_start(void*) asm(DRIVER "5startEv");
int driver_stop(void*, bool) asm(DRIVER "4stopEb");
int driver_abort(void*) asm(DRIVER "5abortEv");
int driver_revive(void*) asm(DRIVER "12reviveOffersEv");
int driver_suppress(void*) asm(DRIVER "14suppressOffersEv");
int driver_kill(void*, const void*) asm(DRIVER "8killTaskERKNS_6TaskIDE");
int driver_decline(void*, const void*, const void*) asm(
  DRIVER "12declineOfferERKNS_7OfferIDERKNS_7FiltersE");
int driver_launch(void*, const void*, const Vector&, const void*) asm(
  DRIVER "11launchTasksERKNS_7OfferIDERKSt6vectorINS_8TaskInfoESaIS5_EERKNS_7FiltersE");
int driver_reconcile(void*, const Vector&) asm(
  DRIVER "14reconcileTasksERKSt6vectorINS_10TaskStatusESaIS2_EE");
int driver_message(void*, const void*, const void*, const str&) asm(
  DRIVER "20sendFrameworkMessageERKNS_10ExecutorIDERKNS_7SlaveIDERK" STR);

int main(int count, char** arguments)
{
  if (count < 2) return 2;
  setenv("LIBPROCESS_IP", "127.0.0.1", 0);
  setenv("GLOG_minloglevel", "2", 0);
  offer_size = size_of(new_offer, offer_new);
  size_t task_size = size_of(new_task_info, task_info_new);
  size_t status_size = size_of(new_task_status, task_status_new);
  str line;
  std::getline(std::cin, line);
  void* driver = calloc(1, 65536);
  void* info = made(framework_info_new, line);
  if (count > 2)
    driver_new_known(driver, new Scheduler, info, arguments[1], made(credential_new, arguments[2]));
  else driver_new(driver, new Scheduler, info, arguments[1]);
  driver_start(driver);
  void* no_filters = made(filters_new, "");
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    str verb, a, b, c;
    words >> verb >> a >> b >> c;
    if (verb == "launch") {
      char* task = (char*)made(task_info_new, b);
      Vector tasks = {task, task + task_size, task + task_size};
      driver_launch(driver, made(offer_id_new, a), tasks, no_filters);
    } else if (verb == "decline") driver_decline(driver, made(offer_id_new, a), made(filters_new, b));
    else if (verb == "revive") driver_revive(driver);
    else if (verb == "suppress") driver_suppress(driver);
    else if (verb == "kill") driver_kill(driver, made(task_id_new, a));
    else if (verb == "reconcile") {
      char* status = a == "" ? nullptr : (char*)made(task_status_new, a);
      Vector statuses = {status, status + (status ? status_size : 0), status + (status ? status_size : 0)};
      driver_reconcile(driver, statuses);
    } else if (verb == "message")
      driver_message(driver, made(executor_id_new, a), made(agent_id_new, b), unhex(c));
    else if (verb == "stop") { driver_stop(driver, a == "failover"); tell("stopped"); }
    else if (verb == "abort") { driver_abort(driver); tell("aborted"); }
    else if (verb == "exit") { fflush(stdout); _Exit(0); }
  }
  _Exit(0);
}
