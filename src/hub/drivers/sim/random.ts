/**
 * A seeded generator (Marsaglia's xorshift32, 2003): the same seed gives the same numbers on every machine.
 *
 * Cost: 1 ns, no allocation. Not for secrets.
 */
export class Random {
  #state: number

  /** @param seed any integer; 0 stands for a fixed other one, as xorshift cannot leave 0 */
  constructor(seed: number) {
    this.#state = seed | 0 || 0x9e3779b9 | 0
    // Small seeds have few bits set: their first numbers would be small too.
    for (let i = 0; i < 8; i++) this.nextInt()
  }

  /** 32 bits as a signed integer. */
  nextInt(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return x
  }

  /** Uniform in [0, 1). */
  next(): number {
    return (this.nextInt() >>> 0) / 4_294_967_296
  }
}
