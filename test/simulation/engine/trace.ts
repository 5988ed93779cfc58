/** All that happened, as lines or only as their hash. Two runs of one seed give the same, bit for bit. */
export class Trace {
  /** Empty unless lines are kept. */
  readonly lines: string[] = []
  readonly #keepsLines: boolean
  #high = 0x811c9dc5
  #low = 0x01000193
  #count = 0

  constructor(keepsLines: boolean) {
    this.#keepsLines = keepsLines
  }

  note(atMs: number, who: string, what: string): void {
    this.#count++
    this.#mix(atMs * 1024)
    for (let i = 0; i < who.length; i++) this.#mix(who.charCodeAt(i))
    for (let i = 0; i < what.length; i++) this.#mix(what.charCodeAt(i))
    if (this.#keepsLines) this.lines.push(`${atMs.toFixed(3).padStart(11)} ${who.padEnd(14)} ${what}`)
  }

  /** Of everything noted: two 32-bit FNV-1a style sums that run differently, and the number of notes. */
  get hash(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0')
    return `${hex(this.#high)}${hex(this.#low)}-${this.#count}`
  }

  #mix(word: number): void {
    this.#high = Math.imul(this.#high ^ word, 0x01000193)
    this.#low = Math.imul(this.#low + word, 0x85ebca6b) ^ (this.#low >>> 13)
  }
}
