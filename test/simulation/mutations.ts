import { ShardWrites } from '#src/processor/consume/shard-writes'
import { SuspectLane } from '#src/processor/consume/suspect-lane'
import { TrialGate } from '#src/processor/consume/trial-gate'
import type { StoreFlaw } from './store/script-call.js'
import type { WorldPlan } from './world-plan.js'

/** One rule of the protocol broken on purpose: the simulation must notice. */
export interface Mutation {
  readonly name: string
  /** Broken in the model of the store. */
  readonly store?: StoreFlaw
  /** Worlds in which it shows soon. Any world will do, some after hundreds of others. */
  readonly plan?: Partial<WorldPlan>
  /** Broken in the product. @returns mends it */
  readonly product?: () => () => void
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'no fence: settlements of former owners take effect',
    store: 'no fence',
    plan: { nemeses: ['processor stops for a while'], nemesisEveryMs: 100 },
  },
  { name: 'no high water: what is sent again is stored again', store: 'no high water' },
  { name: 'no leftovers: a new owner begins where the former one stopped reading', store: 'no leftovers' },
  {
    name: 'no regroup: what a lost reply had is not read again',
    store: 'no regroup',
    plan: { networkFaults: ['reply lost', 'silence'], networkFaultRate: 0.08 },
  },
  {
    name: 'no settlement numbers: a late settlement undoes a later one',
    store: 'no settlement numbers',
    plan: { networkFaults: ['request late'], networkFaultRate: 0.08, maxInFlight: 20 },
  },
  {
    name: 'acknowledged before the write is durable',
    product: () => replaceMethod(ShardWrites.prototype, 'areDurable', () => Promise.resolve(true)),
  },
  {
    name: 'no suspect lane: suspects run with all others',
    product: () => replaceMethod(SuspectLane.prototype, 'isSuspect', () => false),
  },
  {
    name: 'trials beside other runs',
    plan: { shards: 3, processors: 2, nemeses: [], marks: ['kills its process always'], markRate: 0.05 },
    product: () => replaceMethod(TrialGate.prototype, 'alone', TrialGate.prototype.together),
  },
  {
    name: 'convicted on suspicion alone',
    product: () => replaceMethod(SuspectLane.prototype, 'hasKilledSilently', () => true),
  },
]

/** @returns mends what it broke */
export function withMutation(mutation: Mutation | undefined): () => void {
  return mutation?.product?.() ?? (() => {})
}

function replaceMethod<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  method: Owner[Name],
): () => void {
  const original = owner[name]
  owner[name] = method
  return () => {
    owner[name] = original
  }
}
