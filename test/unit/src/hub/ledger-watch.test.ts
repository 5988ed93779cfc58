import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import type { HubLedger } from '#src/hub/hub-figures'
import { LedgerWatch } from '#src/hub/ledger-watch'

test('an imbalance that lasts is told once, and again after it was gone', () => {
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => lines.push(line) })
  const counts = { accepted: 10, recovered: 2, delivered: 8, spooled: 2, inFlight: 1, dropped: 0 }
  const ledger: HubLedger = { ...counts, droppedBy: {} }
  const watch = new LedgerWatch(() => ledger, log)
  watch.look()
  assert.equal(lines.length, 0, 'one look may be a moment in between')
  watch.look()
  watch.look()
  assert.equal(lines.length, 1)
  assert.equal(JSON.parse(lines[0]).imbalance, 1)
  ledger.delivered = 9
  watch.look()
  ledger.delivered = 8
  watch.look()
  watch.look()
  assert.equal(lines.length, 2)
})
