// Offers are found by the ids that they were told under and by nothing else, in the order in which they were made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '#mesos/resources/resources.ts';
import { lot } from '#mesos/allocator/role-order.ts';
import { OfferBook, OfferChain, type OfferRecord } from './offer-book.ts';
import type { FrameworkRecord } from './types.ts';

const framework = { id: 'f' } as FrameworkRecord;

function anOffer(book: OfferBook, number: number): OfferRecord {
  const of = { framework, agent: undefined, agentId: 'a', role: 'r', resources: Resources.none };
  return book.make({ number, ...of });
}

test('an id finds its offer, written as it was told', () => {
  const book = new OfferBook('m');
  for (const number of [0, 7, 64, 130_000]) book.add(anOffer(book, number));
  for (const number of [0, 7, 64, 130_000]) assert.equal(book.get(`m-O${number}`)?.number, number);
  const others = [
    '',
    'm-O',
    'm-O1',
    'm-O07',
    'm-O00',
    'm-O7 ',
    'm-O+7',
    'm-O-0',
    'm-O7.0',
    'm-O7e0',
  ];
  const more = ['n-O7', 'm-P7', 'mm-O7', '7', 'm-O٧', `m-O${'1'.repeat(400)}`, 'm-O0x7'];
  for (const id of [...others, ...more]) assert.equal(book.has(id), false, id);
});

test('as a map from ids, whatever comes and goes', () => {
  const random = lot(7);
  const book = new OfferBook('m');
  const chain = new OfferChain();
  const twin = new Map<string, OfferRecord>();
  for (let number = 0; number < 3_000; number++) {
    // Some numbers are those of inverse offers.
    if (random() < 0.9) {
      const offer = anOffer(book, number);
      book.add(offer);
      chain.add(offer);
      twin.set(offer.id, offer);
    }
    while (random() < 0.45 && twin.size > 0) {
      const all = [...twin.values()];
      const gone = all[Math.floor(random() ** 2 * all.length)] as OfferRecord;
      assert.equal(book.remove(gone), true);
      assert.equal(book.remove(gone), false);
      chain.remove(gone);
      twin.delete(gone.id);
      assert.equal(book.has(gone.id), false);
    }
    assert.equal(book.size, twin.size);
    if (number % 50 !== 0) continue;
    assert.deepEqual(book.values(), [...twin.values()]);
    assert.deepEqual(chain.all(), [...twin.values()]);
    for (const [id, offer] of twin) assert.equal(book.get(id), offer);
  }
});
