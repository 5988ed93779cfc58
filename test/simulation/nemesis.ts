import type { World } from './world.js'
import type { Nemesis } from './world-plan.js'

/** Does harm to processes and to the store at random times, as long as faults may happen. */
export function unleashNemesis(world: World): void {
  const { plan, scheduler, random, redis } = world
  if (plan.nemeses.length === 0) return
  if (plan.nemeses.includes('store goes back in time')) {
    const remember = () => {
      redis.takeSnapshot()
      if (world.isFaulty) scheduler.at(random.between(20, 800), undefined, 'snapshot', remember)
    }
    scheduler.at(random.between(20, 400), undefined, 'snapshot', remember)
  }
  const strikeLater = () => scheduler.at(random.next() * 2 * plan.nemesisEveryMs, undefined, 'nemesis', strike)
  const strike = () => {
    if (!world.isFaulty) return
    harm(world, random.pick(plan.nemeses))
    strikeLater()
  }
  strikeLater()
}

function harm(world: World, nemesis: Nemesis): void {
  const { plan, scheduler, random, redis, coverage, hubs, processors } = world
  scheduler.note(`nemesis: ${nemesis}`)
  coverage.add('nemesis', nemesis)
  const hub = random.pick(hubs)
  const processor = random.pick(processors)
  switch (nemesis) {
    case 'processor crashes':
      processor.crash(nemesis)
      break
    case 'processor stops for a while':
      if (processor.actor) scheduler.stop(processor.actor, random.between(0.1, 3) * plan.leaseMs)
      break
    case 'processor restarts':
      processor.restart()
      break
    case 'drain worker crashes':
      hub.crashWorker(nemesis)
      break
    case 'drain worker crashes within a step':
      hub.crashWorkerWithinStep()
      break
    case 'drain worker stops for a while':
      if (hub.worker) scheduler.stop(hub.worker, random.between(10, 3000))
      break
    case 'store restarts':
    case 'store goes back in time':
      if (redis.isUp) world.restartStore(nemesis === 'store goes back in time')
  }
}
