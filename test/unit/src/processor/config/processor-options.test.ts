import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HANDLER_TYPES } from '#core/model/finding'
import { readProcessorOptions } from '#src/processor/config/processor-options'

describe("the processor's options", () => {
  it('need nothing but REDIS_HOST, REDIS_PORT and NUM_WORKERS', () => {
    const command = readProcessorOptions([], { REDIS_HOST: '127.0.0.1', REDIS_PORT: '7000', NUM_WORKERS: '3' })
    assert.ok(command.kind === 'run')
    const { store, threads, handlers } = command.options
    assert.ok(store.kind === 'redis' && store.redis.port === 7000)
    assert.equal(threads, 3)
    assert.deepEqual(
      handlers.map(({ type }) => type),
      [...HANDLER_TYPES],
    )
  })

  it('differ in their holder name from process to process and start to start', () => {
    const command = readProcessorOptions([], {})
    assert.ok(command.kind === 'run' && command.options.holder.includes(`-${process.pid}-`))
  })
})
