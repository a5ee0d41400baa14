// Divisions as k8s.io/apiserver v0.37 itself makes them, and what holds of every one.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { divide, limitsOf } from './concurrency.ts';

interface Case {
  readonly total: number;
  /** Of each level: at least, at most, target. */
  readonly shares: readonly (readonly [number, number, number])[];
  readonly seats: readonly number[];
  readonly fair: number;
}

const cases: readonly Case[] = [
  {
    total: 170,
    shares: [
      [17, 53, 27],
      [17, 56, 93],
      [17, 41, 44],
      [6, 36, 27],
      [7, 13, 40],
    ],
    seats: [30.0, 56.0, 41.0, 30.0, 13.0],
    fair: 1.111111,
  },
  {
    total: 98,
    shares: [
      [14, 36, 87],
      [3, 32, 45],
      [1, 30, 48],
      [14, 26, 14],
      [14, 21, 44],
    ],
    seats: [32.625, 16.875, 18.0, 14.0, 16.5],
    fair: 0.375,
  },
  {
    total: 152,
    shares: [
      [12, 49, 57],
      [6, 55, 19],
      [16, 69, 80],
      [5, 47, 39],
    ],
    seats: [44.430769, 14.810256, 62.358974, 30.4],
    fair: 0.779487,
  },
  {
    total: 59,
    shares: [
      [6, 32, 85],
      [1, 17, 46],
      [5, 47, 43],
      [18, 26, 90],
      [13, 18, 27],
    ],
    seats: [13.678161, 7.402299, 6.91954, 18.0, 13.0],
    fair: 0.16092,
  },
  {
    total: 81,
    shares: [
      [19, 34, 48],
      [11, 18, 24],
      [4, 18, 11],
      [0, 41, 74],
      [0, 22, 10],
    ],
    seats: [23.281437, 11.640719, 5.335329, 35.892216, 4.850299],
    fair: 0.48503,
  },
  {
    total: 59,
    shares: [
      [14, 24, 24],
      [0, 42, 28],
    ],
    seats: [24.0, 35.0],
    fair: 1.25,
  },
  {
    total: 83,
    shares: [
      [9, 45, 64],
      [3, 33, 76],
      [9, 33, 28],
      [6, 39, 82],
    ],
    seats: [21.248, 25.232, 9.296, 27.224],
    fair: 0.332,
  },
  {
    total: 56,
    shares: [
      [7, 49, 73],
      [4, 16, 8],
      [6, 29, 13],
    ],
    seats: [43.489362, 4.765957, 7.744681],
    fair: 0.595745,
  },
  {
    total: 29,
    shares: [
      [4, 11, 63],
      [1, 30, 72],
    ],
    seats: [11.0, 18.0],
    fair: 0.25,
  },
  {
    total: 151,
    shares: [
      [1, 51, 71],
      [19, 58, 35],
      [12, 67, 43],
      [4, 29, 40],
    ],
    seats: [51.0, 31.858974, 39.141026, 29.0],
    fair: 0.910256,
  },
  {
    total: 120,
    shares: [
      [3, 50, 33],
      [16, 27, 17],
      [10, 24, 16],
      [19, 62, 44],
      [8, 53, 33],
    ],
    seats: [27.238095, 16.0, 13.206349, 36.31746, 27.238095],
    fair: 0.825397,
  },
  {
    total: 37,
    shares: [
      [14, 33, 33],
      [12, 19, 21],
      [3, 12, 55],
    ],
    seats: [14.0, 12.0, 11.0],
    fair: 0.2,
  },
  {
    total: 97,
    shares: [
      [19, 60, 93],
      [6, 65, 80],
      [7, 11, 12],
      [10, 65, 19],
      [1, 10, 57],
    ],
    seats: [37.630058, 32.369942, 7.0, 10.0, 10.0],
    fair: 0.404624,
  },
  {
    total: 79,
    shares: [
      [2, 37, 33],
      [3, 24, 12],
      [3, 47, 7],
      [14, 49, 78],
      [3, 59, 79],
    ],
    seats: [12.415842, 4.514851, 3.0, 29.346535, 29.722772],
    fair: 0.376238,
  },
];

for (const { total, shares, seats, fair } of cases) {
  test(`divide() ${total} among ${shares.length}`, () => {
    const found = divide(
      total,
      shares.map(([lower, upper, target]) => ({ lower, upper, target })),
    );
    assert.deepEqual(
      found?.seats.map((one) => one.toFixed(4)),
      seats.map((one) => one.toFixed(4)),
    );
    assert.equal(found?.fairFraction.toFixed(4), fair.toFixed(4));
  });
}

test('divide() keeps every bound and the sum, or says that it cannot', () => {
  const share = fc
    .tuple(fc.nat(50), fc.nat(50), fc.nat(80))
    .map(([lower, more, extra]) => ({ lower, upper: lower + more, target: lower + extra }));
  fc.assert(
    fc.property(fc.array(share, { minLength: 1, maxLength: 8 }), fc.nat(500), (shares, total) => {
      const low = shares.reduce((sum, { lower }) => sum + lower, 0);
      const high = shares.reduce((sum, { upper }) => sum + upper, 0);
      const found = divide(total, shares);
      if (total < low || total > high) return assert.equal(found, undefined);
      const sum = found?.seats.reduce((all, one) => all + one, 0) ?? NaN;
      assert.ok(Math.abs(sum - total) < 1e-3, `${sum} is not ${total}`);
      for (const [i, { lower, upper }] of shares.entries()) {
        const seats = found?.seats[i] ?? NaN;
        assert.ok(seats >= lower - 1e-6 && seats <= upper + 1e-6);
      }
    }),
    { numRuns: 500 },
  );
});

test('limitsOf() gives the levels that every cluster has what kube-apiserver gives them', () => {
  const level = (shares: number, lendablePercent: number) =>
    limitsOf({ shares, lendablePercent, borrowingLimitPercent: undefined }, 600, 245);
  assert.deepEqual(level(100, 90), { nominal: 245, min: 24, max: 845 });
  assert.deepEqual(level(40, 50), { nominal: 98, min: 49, max: 698 });
  assert.deepEqual(level(30, 33), { nominal: 74, min: 50, max: 674 });
  assert.deepEqual(level(10, 0), { nominal: 25, min: 25, max: 625 });
});
