import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ago, counted, facts, hexDump, type Output, size, table } from '#src/cli/terminal'

const output = (columns?: number): Output => ({ write: () => {}, columns, hasColour: false })

test('a table lines its columns up and cuts nothing where there is no terminal', () => {
  const columns = [{ title: 'N', align: 'right' as const }, { title: 'NAME' }, { title: 'MESSAGE' }]
  const long = 'x'.repeat(300)
  assert.equal(
    table(
      columns,
      [
        ['7', 'a', long],
        ['12', 'bcdef', ''],
      ],
      output(),
    ),
    [' N  NAME   MESSAGE', ` 7  a      ${long}`, '12  bcdef', ''].join('\n'),
  )
})

test('a narrow terminal loses optional columns, then the end of the last one', () => {
  const columns = [
    { title: 'ID' },
    { title: 'SIZE', isOptional: true },
    { title: 'BATCH', isOptional: true },
    { title: 'MESSAGE' },
  ]
  const rows = [['i'.repeat(10), '4 KiB', 'b'.repeat(20), 'm'.repeat(100)]]
  const widest = (columnsOfTerminal: number) => table(columns, rows, output(columnsOfTerminal)).split('\n')
  assert.deepEqual(
    [120, 70, 50, 30].map((width) => widest(width)[0]),
    [
      'ID          SIZE   BATCH                 MESSAGE',
      'ID          SIZE   MESSAGE',
      'ID          MESSAGE',
      'ID          MESSAGE',
    ],
  )
  for (const width of [120, 70, 50, 30]) {
    const [, row] = widest(width)
    assert.equal(row.length, width)
    assert.ok(row.endsWith('m…'))
  }
})

test('what a batch says cannot steer the terminal', () => {
  assert.equal(
    facts(
      [
        ['message', 'a\x1b[2Jb\nc\x9bd'],
        ['none', undefined],
      ],
      output(80),
    ),
    'message  a [2Jb c d\n',
  )
  assert.ok(!table([{ title: 'A' }], [['\x1b]0;title\x07']], output()).includes('\x1b'))
})

test('bytes are shown as xxd shows them', () => {
  assert.equal(
    hexDump(Buffer.from('hello, world!\x00\xff\n more', 'latin1').toString('hex')),
    [
      '00000000: 6865 6c6c 6f2c 2077 6f72 6c64 2100 ff0a  hello, world!...',
      '00000010: 206d 6f72 65                              more',
      '',
    ].join('\n'),
  )
  assert.equal(hexDump(''), '')
})

test('ages, sizes and counts are short', () => {
  const ages = [0, 119, 120, 7199, 7200, 172_799, 172_800, 1e7].map((seconds) => ago(0, seconds * 1000))
  assert.deepEqual(ages, ['0s ago', '119s ago', '2m ago', '120m ago', '2h ago', '48h ago', '2d ago', '116d ago'])
  assert.deepEqual([0, 1023, 1024, 2 ** 20, 3.5 * 2 ** 30].map(size), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.0 MiB',
    '3.5 GiB',
  ])
  assert.deepEqual([counted(1, 'letter'), counted(12_345, 'letter')], ['1 letter', '12,345 letters'])
})
