import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { PressureSignal } from '#core/transport/pressure-signal'
import { until } from './batch-stream-fixture.js'

/** What every {@link PressureSignal} does. @param open a new opener of the same store */
export function testPressureSignal(name: string, open: () => Promise<PressureSignal>): void {
  describe(`the pressure signal of ${name}`, () => {
    const opened: PressureSignal[] = []
    const signal = async () => {
      const end = await open()
      opened.push(end)
      return end
    }
    after(() => Promise.all(opened.map((end) => end.close())))

    it('says nothing before anybody did, then what was said last, and nothing again in the end', async () => {
      const [processor, other, hub] = [await signal(), await signal(), await signal()]
      assert.equal(await hub.read(), undefined)
      await processor.write('red', 60_000)
      assert.equal(await hub.read(), 'red')
      await other.write('amber', 200)
      assert.equal(await hub.read(), 'amber')
      await until('the level is forgotten', async () => (await hub.read()) === undefined)
    })
  })
}
