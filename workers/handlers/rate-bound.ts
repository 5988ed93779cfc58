/**
 * Bounds how often a series may say something, counted in its own samples so that a replay says the same: `burst` times at
 * once, in the long run once in `cost` samples. It is the virtual scheduling form of the leaky bucket (ITU-T I.371, GCRA),
 * whose whole state is one number.
 */
export interface RateBound {
  cost: number
  burst: number
}

/** @param due the bound's state; 0 before the first use */
export function mayEmit({ cost, burst }: RateBound, due: number, sample: number): boolean {
  return due - (burst - 1) * cost <= sample
}

/** The state after something was said at `sample`. */
export function afterEmit({ cost }: RateBound, due: number, sample: number): number {
  return Math.max(due, sample) + cost
}
