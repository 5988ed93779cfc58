import { FAULT_KINDS, type FaultKind } from '../drivers/contract/fault.js'

/** `ok`, or why not. */
export const RESULTS = ['ok', ...FAULT_KINDS] as const
export type Result = (typeof RESULTS)[number]

/** How often each result came; all of them from the start. */
export class ResultCounts {
  readonly #counts = new Map<Result, number>(RESULTS.map((result) => [result, 0]))

  add(result: FaultKind | 'ok'): void {
    this.#counts.set(result, this.#counts.get(result)! + 1)
  }

  get(result: Result): number {
    return this.#counts.get(result)!
  }

  entries(): [Result, number][] {
    return [...this.#counts]
  }
}

/** The share of the last ten to twenty seconds is told. */
const WINDOW_MS = 10_000

/** How much of its time a bus is busy. No timer: windows end when something is added or asked. */
export class BusMeter {
  #totalMs = 0
  #startedMs: number
  #busyMs = 0
  #before = { busyMs: 0, lengthMs: 0 }

  constructor(nowMs: number) {
    this.#startedMs = nowMs
  }

  get totalMs(): number {
    return this.#totalMs
  }

  add(busyMs: number, nowMs: number): void {
    this.#roll(nowMs)
    this.#totalMs += busyMs
    this.#busyMs += busyMs
  }

  /** 0..1 */
  ratio(nowMs: number): number {
    this.#roll(nowMs)
    const lengthMs = this.#before.lengthMs + nowMs - this.#startedMs
    return lengthMs <= 0 ? 0 : Math.min(1, (this.#before.busyMs + this.#busyMs) / lengthMs)
  }

  #roll(nowMs: number): void {
    const lengthMs = nowMs - this.#startedMs
    if (lengthMs < WINDOW_MS) return
    this.#before = { busyMs: this.#busyMs, lengthMs }
    this.#startedMs = nowMs
    this.#busyMs = 0
  }
}
