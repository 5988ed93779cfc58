import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEATH_WEIGHT, HandlerCircuit } from '#core/policy/handler-circuit'

class Rig {
  nowMs = 0
  readonly circuit = new HandlerCircuit({ nowMs: () => this.nowMs, random: () => 0.5 })

  open(): void {
    for (let entry = 0; entry < 10; entry++) this.circuit.failed(`${entry}`)
    assert.equal(this.circuit.state, 'open')
  }
}

describe('the circuit of a handler', () => {
  it('opens after ten failures in a row, or five deaths, of three entries or more', () => {
    for (const [weight, failures] of [
      [1, 10],
      [DEATH_WEIGHT, 5],
    ] as const) {
      const { circuit } = new Rig()
      for (let i = 1; i < failures; i++) circuit.failed(`${i % 3}`, weight)
      assert.equal(circuit.state, 'closed')
      circuit.failed('0', weight)
      assert.equal(circuit.state, 'open')
      assert.equal(circuit.openings, 1)
    }
  })

  it('stays closed for one or two entries that fail for ever, and for failures among successes', () => {
    const { circuit } = new Rig()
    for (let i = 0; i < 1000; i++) circuit.failed(`${i % 2}`)
    assert.equal(circuit.admit(), 'run')
    for (let i = 0; i < 1000; i++) {
      circuit.failed(`${i}`)
      if (i % 9 === 0) circuit.succeeded()
    }
    assert.equal(circuit.state, 'closed')
  })

  it('lets one try through when its wait is over, and opens again, for longer, when that fails', () => {
    const rig = new Rig()
    const { circuit } = rig
    rig.open()
    assert.equal(circuit.admit(), 'wait')
    const waits: number[] = []
    for (let round = 0; round < 8; round++) {
      waits.push(circuit.waitMs)
      rig.nowMs += circuit.waitMs
      assert.equal(circuit.admit(), 'try')
      assert.deepEqual([circuit.admit(), circuit.admit()], ['wait', 'wait'])
      circuit.failed('any')
      assert.equal(circuit.state, 'open')
    }
    assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
    assert.equal(circuit.openings, 1)
  })

  it('closes with the first success of a try, and then is as new', () => {
    const rig = new Rig()
    rig.open()
    rig.nowMs += rig.circuit.waitMs
    assert.equal(rig.circuit.admit(), 'try')
    rig.circuit.succeeded()
    assert.deepEqual([rig.circuit.state, rig.circuit.admit(), rig.circuit.waitMs], ['closed', 'run', 0])
    for (let i = 0; i < 9; i++) rig.circuit.failed(`${i}`)
    assert.equal(rig.circuit.state, 'closed')
  })

  it('is not moved by what was under way when it opened', () => {
    const rig = new Rig()
    rig.open()
    const { waitMs } = rig.circuit
    rig.circuit.succeeded()
    rig.circuit.failed('late')
    assert.deepEqual([rig.circuit.state, rig.circuit.waitMs], ['open', waitMs])
  })

  it('may be tried again at once when a try could not be made', () => {
    const rig = new Rig()
    rig.open()
    rig.nowMs += rig.circuit.waitMs
    assert.equal(rig.circuit.admit(), 'try')
    rig.circuit.tryAbandoned()
    assert.equal(rig.circuit.admit(), 'try')
  })
})
