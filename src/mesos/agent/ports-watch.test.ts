// Which listening sockets the kernel's tables tell of, and which ports of a container are not its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foreignPorts, listenersOf, rangesText } from './ports-watch.ts';

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid timeout inode
   0: 0100007F:13BA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 73211 1
   1: 0100007F:9C4A 0100007F:13BA 01 00000000:00000000 00:00000000 00000000 0 0 73955 1
   2: 0100007F:13BA 0100007F:9C4A 06 00000000:00000000 03:00000A3B 00000000 0 0 0 3
`;
const table6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 81234 1
`;

test('sockets that listen, of both versions, by inode', () => {
  assert.deepEqual([...listenersOf(table)], [['73211', 5050]]);
  assert.deepEqual([...listenersOf(table6)], [['81234', 8080]]);
  assert.deepEqual([...listenersOf('')], []);
});

const range = (begin: number, end: number) => ({ begin, end });
const cases = [
  { ports: [31000], allocated: [range(31000, 31001)], isolated: undefined, want: '[]' },
  { ports: [31002, 31003, 80], allocated: [], isolated: undefined, want: '[80-80, 31002-31003]' },
  { ports: [31002, 80], allocated: [], isolated: [range(31000, 32000)], want: '[31002-31002]' },
  { ports: [80], allocated: [], isolated: [], want: '[]' },
];
for (const { ports, allocated, isolated, want } of cases) {
  test(`of ports ${ports.join()} those of others are ${want}`, () => {
    assert.equal(rangesText(foreignPorts(ports, allocated, isolated)), want);
  });
}
