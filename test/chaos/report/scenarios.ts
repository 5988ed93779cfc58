/** The fault scenarios of a reliable queue, by number, and what of this suite shows each. */
export interface Scenario {
  number: number
  fault: string
  /** Nemeses of the storm. */
  nemeses: readonly string[]
  /** The rest is shown by the cases of the sweep that carry the number. */
  command: string
}

const STORM = 'npm run chaos -- --parts storm'
const SWEEP = 'npm run chaos -- --parts sweep'

export const SCENARIOS: readonly Scenario[] = [
  { number: 1, fault: 'processors killed at random', nemeses: ['processor-kill'], command: STORM },
  { number: 2, fault: 'killed between effect and acknowledgement', nemeses: [], command: SWEEP },
  { number: 3, fault: 'killed between each pair of protocol steps', nemeses: [], command: SWEEP },
  { number: 4, fault: 'frozen up to three leases', nemeses: ['processor-freeze'], command: STORM },
  { number: 6, fault: 'Redis killed and restarted under load', nemeses: ['redis-kill'], command: STORM },
  { number: 7, fault: 'Redis answers nothing for seconds', nemeses: ['redis-freeze'], command: STORM },
  { number: 8, fault: 'half-open sockets', nemeses: ['hub-black-hole', 'processor-black-hole'], command: STORM },
  { number: 9, fault: 'replies to appends lost', nemeses: ['hub-lost-replies', 'hub-cut'], command: STORM },
  { number: 10, fault: 'replies to reads lost', nemeses: ['processor-lost-replies', 'processor-cut'], command: STORM },
  { number: 11, fault: 'replies to settlements lost', nemeses: ['processor-lost-replies'], command: STORM },
  { number: 12, fault: 'CLIENT KILL again and again', nemeses: ['client-kill'], command: STORM },
  {
    number: 13,
    fault: 'latency, jitter, narrow and dribbling networks',
    nemeses: ['hub-delay', 'processor-delay', 'hub-dribble', 'processor-dribble'],
    command: STORM,
  },
  { number: 19, fault: 'FLUSHALL under load', nemeses: ['flush-all'], command: 'npm run chaos -- --parts flush' },
  {
    number: 21,
    fault: 'samples that throw, end threads or processes, exhaust memory',
    nemeses: ['flaky', 'bad-throws', 'bad-exit', 'bad-memory', 'bad-abort', 'bad-loop'],
    command: STORM,
  },
  { number: 27, fault: 'SIGTERM under load', nemeses: ['processor-restart', 'hub-restart'], command: STORM },
  { number: 37, fault: 'each protection removed in turn', nemeses: [], command: 'npm run chaos -- --mutations' },
]
