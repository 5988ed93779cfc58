import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { Repeated } from '#core/time/repeated'

test('work begins again so long after it has ended, and no more once it is stopped', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let begun = 0
    let end = () => {}
    const repeated = new Repeated(() => {
      begun++
      return new Promise((resolve) => {
        end = resolve
      })
    }, 100)
    const first = repeated.start()
    mock.timers.tick(1000)
    assert.equal(begun, 1, 'never twice at once')
    end()
    await first
    mock.timers.tick(99)
    assert.equal(begun, 1)
    mock.timers.tick(1)
    assert.equal(begun, 2)
    const stopped = repeated.stop()
    end()
    await stopped
    mock.timers.tick(1000)
    assert.equal(begun, 2)
  } finally {
    mock.timers.reset()
  }
})

test('a stop before the start, or between two times, leaves nothing behind', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let begun = 0
    const repeated = new Repeated(async () => void begun++, 100)
    await repeated.stop()
    await repeated.start()
    mock.timers.tick(1000)
    assert.equal(begun, 1)
  } finally {
    mock.timers.reset()
  }
})
