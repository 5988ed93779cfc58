import type { Diagnosis } from '#core/transport/redis/doctor/diagnosis'
import type { Role } from '#core/transport/redis/doctor/rights'
import { diagnose } from './examine-store.js'
import type { Logger } from './logger.js'
import type { Store } from './store-options.js'

/** Settings of a server can change while it runs. Milliseconds. */
const RECHECK_MS = 60_000

/**
 * Examines Redis at the start of a program and every minute after. Logs what it finds when it is new, and when it has
 * passed; keeps what makes the store unsafe for `/health`. Never throws, and does nothing for an embedded store.
 * Thread: main.
 */
export class StoreDoctor {
  readonly #store: Store
  readonly #roles: readonly Role[]
  readonly #log: Logger
  readonly #recheckMs: number
  #findings = new Map<string, Diagnosis>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined

  /** @param roles what the program does with the queue */
  constructor(store: Store, roles: readonly Role[], log: Logger, recheckMs = RECHECK_MS) {
    this.#store = store
    this.#roles = roles
    this.#log = log
    this.#recheckMs = recheckMs
  }

  /** What is unsafe about the store, as of the last look; `undefined` when nothing is. */
  get problem(): string | undefined {
    for (const finding of this.#findings.values()) if (finding.verdict === 'refuse') return textOf(finding)
    return undefined
  }

  start(): void {
    if (this.#store.kind !== 'redis') return
    this.#timer = setInterval(() => void this.look(), this.#recheckMs)
    this.#timer.unref()
    void this.look()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Looks now, or joins a look that is under way. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<void> {
    if (this.#store.kind !== 'redis') return
    let diagnoses: Diagnosis[]
    try {
      diagnoses = await diagnose(this.#store, this.#roles)
    } catch (error) {
      this.#log.error({ err: error }, 'Redis was not examined')
      return
    }
    // That a server is away is told by those who need it, and better.
    if (diagnoses.some(({ check }) => check === 'reach')) return
    const findings = new Map<string, Diagnosis>()
    for (const diagnosis of diagnoses) {
      const { where, check, verdict } = diagnosis
      const name = `${where} ${check}`
      const isNews = this.#findings.get(name)?.verdict !== verdict
      findings.set(name, diagnosis)
      if (!isNews) continue
      if (verdict === 'ok')
        this.#log[check === 'capabilities' || this.#findings.has(name) ? 'info' : 'debug']({ check }, textOf(diagnosis))
      else this.#log[verdict === 'refuse' ? 'error' : 'warn']({ check }, textOf(diagnosis))
    }
    this.#findings = findings
  }
}

function textOf({ where, message }: Diagnosis): string {
  return `${where}: ${message}.`
}
