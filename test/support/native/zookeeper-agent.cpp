// Loaded before a real Mesos agent (LD_PRELOAD): its detector of a master by address, when it is told one, becomes
// Mesos' own detector of the leading master in ZooKeeper, as `mesos-agent --master=zk://…` makes it. The URL is
// DETECT_IN. No Mesos header: entry points by their mangled names.
#include <dlfcn.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#define STR "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
#define DETECTOR "_ZN5mesos6master8detector"

// stout's Option<T>: a state (0 SOME, 1 NONE) and the value.
struct Text {
  int state; alignas(8) char value[sizeof(std::string)];
  Text() : state(1) {}
  explicit Text(const char* text) : state(0) { new (value) std::string(text); }
};

/** Try<MasterDetector*> begins with an Option of it; an Option<Error> follows. */
struct Made { int state; void* detector; char error[256]; };

/** Both detectors: a table of virtual functions and a process. */
struct Detector { void* table; void* process; };

void create(Made*, const Text& url, const Text& module, const void* timeout) asm(
    DETECTOR "14MasterDetector6createERK6OptionI" STR "ESC_RKS3_I8DurationE");
void appoint_leader(Detector*, const void* leader) asm(
    DETECTOR "24StandaloneMasterDetector7appointERK6OptionINS_10MasterInfoEE");

/** StandaloneMasterDetector::appoint(const UPID&) of the library is never reached. */
void appoint(Detector* detector, const void*) asm(
    DETECTOR "24StandaloneMasterDetector7appointERKN7process4UPIDE");

void appoint(Detector* detector, const void*)
{
  const char* url = getenv("DETECT_IN");
  static int none[1024] = {1};
  static Made made;
  create(&made, Text(url == nullptr ? "" : url), Text(), none);
  if (made.state != 0) { fprintf(stderr, "cannot detect a master in %s\n", url); exit(2); }
  static Detector before;
  memcpy(&before, detector, sizeof before);
  memcpy(detector, made.detector, sizeof before);
  // The agent waits for an answer of the detector that was: nobody leads there. Then it asks this one.
  appoint_leader(&before, none);
}
