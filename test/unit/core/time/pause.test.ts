import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { it, mock } from 'node:test'
import { pause } from '#core/time/pause'

it('a pause ends when its time is over, and not before', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  let isOver = false
  const over = pause(50).then(() => {
    isOver = true
  })
  mock.timers.tick(49)
  await Promise.resolve()
  assert.equal(isOver, false)
  mock.timers.tick(1)
  await over
  mock.timers.reset()
})

it('a pause ends when its signal aborts, and leaves no listener behind', async () => {
  const ending = new AbortController()
  const over = pause(60_000, ending.signal)
  assert.equal(getEventListeners(ending.signal, 'abort').length, 1)
  ending.abort()
  await over
  assert.equal(getEventListeners(ending.signal, 'abort').length, 0)
})

it('a pause whose signal has aborted before is over at once', async () => {
  await pause(60_000, AbortSignal.abort())
})

it('a pause longer than a timer can wait does not end at once', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  let isOver = false
  void pause(2 ** 40).then(() => {
    isOver = true
  })
  mock.timers.tick(1000)
  assert.equal(isOver, false)
  mock.timers.reset()
})
