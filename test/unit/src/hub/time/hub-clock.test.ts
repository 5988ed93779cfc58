import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { pino } from 'pino'
import { EARLIEST_WALL_US, hubTimeUs } from '#core/time/hub-time'
import { WallReader } from '#core/time/wall-memory'
import { HubClock } from '#src/hub/time/hub-clock'
import { type ClockSync, hostSyncProbe } from '#src/hub/time/sync-probe'

const WALL_US = Date.UTC(2026, 0) * 1000
const BOOT_US = Date.UTC(1970, 0, 1, 0, 0, 12) * 1000

class Rig {
  hubMs = 5000
  wallUs: number
  asleepMs = 0
  sync: ClockSync = 'no'
  isCrowded = false
  readonly lines: { level: number; msg: string }[] = []
  readonly clock: HubClock
  readonly reader: WallReader

  constructor(wallUs: number, holdMs = 0) {
    this.wallUs = wallUs
    const write = (line: string) => void this.lines.push(JSON.parse(line))
    this.clock = new HubClock({
      sources: {
        hubUs: () => this.hubMs * 1000,
        wallUs: () => this.wallUs,
        uptimeSeconds: () => (this.hubMs + this.asleepMs) / 1000,
      },
      probe: async () => this.sync,
      stepMs: 250,
      holdMs,
      isCrowded: () => this.isCrowded,
      log: pino({}, { write }),
    })
    this.reader = new WallReader(this.clock.memory, () => this.hubMs * 1000)
  }

  /** Time passes, both clocks alike, and one more look is taken; resolves when the probe has answered. */
  async pass(ms: number, wallStepMs = 0): Promise<void> {
    this.hubMs += ms
    this.wallUs += (ms + wallStepMs) * 1000
    this.clock.look()
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** What a sample stamped by the drivers' clock becomes when it is sealed now. */
  sealed(stampUs: number): number {
    this.reader.load()
    return this.reader.toWall(stampUs - this.clock.stampOriginUs)
  }
}

describe("the hub's clock", () => {
  it('gives what was stamped before the clock was set its true time, if it is not sealed yet', async () => {
    const rig = new Rig(BOOT_US, 60_000)
    const stampUs = rig.clock.stampClock.nowUs()
    assert.ok(stampUs >= EARLIEST_WALL_US, 'a driver sees a time that the hub takes')
    await rig.pass(10_000)
    assert.equal(rig.reader.isHeld, true)
    const stepMs = (WALL_US - BOOT_US) / 1000
    rig.sync = 'yes'
    await rig.pass(3000, stepMs)
    assert.equal(rig.reader.isHeld, false)
    assert.equal(rig.sealed(stampUs), WALL_US)
    assert.equal(rig.clock.wallClock.nowUs(), WALL_US + 13_000_000)
    assert.equal(rig.clock.stampClock.nowUs(), stampUs + 13_000_000, 'the clock of drivers does not step')
    const { synchronized, steps, summary } = rig.clock.figures()
    assert.deepEqual([synchronized, steps], ['yes', 1])
    assert.match(summary, /synchronised; it was set once/)
    assert.ok(rig.lines.some(({ level, msg }) => level === 40 && /wall clock was set/.test(msg)))
  })

  it('holds samples back no longer than it is told to, and says why it stops', async () => {
    const rig = new Rig(WALL_US, 60_000)
    assert.match(rig.clock.figures().summary, /wait in the rings/)
    await rig.pass(59_000)
    assert.equal(rig.reader.isHeld, true)
    await rig.pass(1000)
    assert.equal(rig.reader.isHeld, false)
    assert.ok(rig.lines.some(({ level, msg }) => level === 40 && /hold_until_synced is over/.test(msg)))
    assert.match(rig.clock.figures().summary, /instants may be wrong/)
  })

  it('stops holding when the rings fill up, when it is stopped, and when an unknown clock is set', async () => {
    const crowded = new Rig(WALL_US, 60_000)
    crowded.isCrowded = true
    await crowded.pass(100)
    assert.equal(crowded.reader.isHeld, false)
    const stopped = new Rig(WALL_US, 60_000)
    stopped.clock.stop()
    assert.equal(stopped.reader.isHeld, false)
    const unknown = new Rig(WALL_US, 60_000)
    unknown.sync = 'unknown'
    await unknown.pass(1000)
    assert.equal(unknown.reader.isHeld, true)
    await unknown.pass(1000, 5000)
    assert.equal(unknown.reader.isHeld, false)
  })

  it('counts and tells a step back, and slews a drift without a word of alarm', async () => {
    const rig = new Rig(WALL_US)
    const stampUs = rig.clock.stampClock.nowUs()
    await rig.pass(1000, -3_600_000)
    assert.equal(rig.sealed(stampUs), WALL_US - 3_600_000_000)
    assert.equal(rig.clock.figures().steps, 1)
    await rig.pass(1000, 40)
    assert.ok(Math.abs(rig.clock.figures().offsetSeconds - 0.04) < 1e-9)
    assert.match(rig.clock.figures().summary, /0\.040 s off/)
    for (let second = 0; second < 100; second++) await rig.pass(1000)
    assert.equal(rig.clock.figures().steps, 1)
    assert.ok(Math.abs(rig.clock.figures().offsetSeconds) < 1e-6)
    assert.equal(rig.lines.filter(({ level }) => level >= 40).length, 1)
  })

  it('does not move what was taken before the machine slept', async () => {
    const rig = new Rig(WALL_US)
    const stampUs = rig.clock.stampClock.nowUs()
    await rig.pass(1000)
    rig.asleepMs += 7_200_000
    await rig.pass(1000, 7_200_000)
    assert.equal(rig.sealed(stampUs), WALL_US)
    assert.equal(rig.sealed(rig.clock.stampClock.nowUs()), WALL_US + 7_202_000_000)
    assert.equal(rig.clock.figures().steps, 0)
  })

  it('reads the clocks of the host when it is given none', () => {
    const probe = async (): Promise<ClockSync> => 'unknown'
    const clock = new HubClock({
      probe,
      stepMs: 250,
      holdMs: 0,
      isCrowded: () => false,
      log: pino({ level: 'silent' }),
    })
    clock.look()
    assert.ok(Math.abs(clock.wallClock.nowUs() - Date.now() * 1000) < 50_000)
    assert.ok(Math.abs(clock.stampClock.nowUs() - clock.stampOriginUs - hubTimeUs()) < 50_000)
  })
})

describe('the probe of the synchronisation', () => {
  it("follows the operator's file, and else says what the host says, or that nobody can say", async () => {
    const directory = await mkdtemp(join(tmpdir(), 'telemetryhub-sync-'))
    after(() => rm(directory, { recursive: true }))
    const file = join(directory, 'synced')
    const probe = hostSyncProbe(file)
    assert.equal(await probe(), 'no')
    await writeFile(file, '')
    assert.equal(await probe(), 'yes')
    assert.ok(['yes', 'no', 'unknown'].includes(await hostSyncProbe()()))
  })
})
