import { parseArgs } from 'node:util'
import { REST_MS } from './sweep/sweep-case.js'

export type Part = 'storm' | 'sweep' | 'flush'

const PARTS: readonly Part[] = ['storm', 'sweep', 'flush']

export interface ChaosOptions {
  seed: number
  /** Of the storm. */
  minutes: number
  isShort: boolean
  parts: readonly Part[]
  /** Absent: all that are not optional. */
  nemeses: readonly string[] | undefined
  /** Absent: all. */
  points: readonly string[] | undefined
  /** Whether every sample replied to with 202 must outlive the hub that said so. */
  isHubDurable: boolean
  /** Patience of the sweep with what has to come to rest. Milliseconds. */
  restMs: number
  isMutations: boolean
  isList: boolean
}

export const USAGE = `npm run chaos -- [options]
  --seed N         of the plan (default: from the clock); the same seed gives the same plan
  --minutes M      of the storm (default 10, with --short 0.5)
  --short          about a minute: a short storm and the points that matter most
  --parts A,B      storm, sweep, flush (default storm,sweep)
  --nemeses A,B    only these, in the storm
  --points A,B     only these, in the sweep; of the mutations, those that they judge
  --durable-hub    what a killed hub had only in its memory counts as lost
  --rest-ms N      patience of the sweep with what has to come to rest (default ${REST_MS})
  --mutations      removes each protection in a copy of dist/ and says whether that is noticed
  --list           nemeses and points`

/** @throws TypeError RangeError for what it does not understand */
export function readChaosOptions(argv: readonly string[]): ChaosOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string' },
      short: { type: 'boolean', default: false },
      parts: { type: 'string', default: 'storm,sweep' },
      nemeses: { type: 'string' },
      points: { type: 'string' },
      'durable-hub': { type: 'boolean', default: false },
      'rest-ms': { type: 'string', default: String(REST_MS) },
      mutations: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  })
  return {
    seed: number('seed', values.seed ?? String(Date.now() % 2 ** 31), 0, 2 ** 31),
    minutes: number('minutes', values.minutes ?? (values.short ? '0.5' : '10'), 0.1, 10_000),
    isShort: values.short,
    parts: values.parts.split(',').map(readPart),
    nemeses: values.nemeses?.split(','),
    points: values.points?.split(','),
    isHubDurable: values['durable-hub'],
    restMs: number('rest-ms', values['rest-ms'], 1000, 600_000),
    isMutations: values.mutations,
    isList: values.list,
  }
}

function readPart(name: string): Part {
  const part = PARTS.find((candidate) => candidate === name)
  if (part === undefined) throw new RangeError(`--parts: ${name} is none of ${PARTS.join(', ')}`)
  return part
}

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value <= most) return value
  throw new RangeError(`--${name}: expected a number from ${least} to ${most}, got ${text}`)
}
