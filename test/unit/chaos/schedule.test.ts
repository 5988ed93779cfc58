import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chooseNemeses, NEMESES } from '#test/chaos/nemeses/catalogue'
import { planStorm } from '#test/chaos/schedule'

const MINUTE = 60_000

describe('the plan of a storm', () => {
  it('is the same for the same seed, and another one for another', () => {
    const plan = (seed: number) => planStorm(seed, MINUTE, chooseNemeses(undefined))
    assert.deepEqual(plan(5), plan(5))
    assert.notDeepEqual(plan(5), plan(6))
  })

  it('holds in ten minutes what a release is judged by', () => {
    const plan = planStorm(1, 10 * MINUTE, chooseNemeses(undefined))
    const count = (...names: string[]) => plan.filter(({ kind }) => names.includes(kind.name)).length
    assert.ok(count('processor-kill') >= 50)
    assert.ok(count('redis-kill') >= 10)
    assert.ok(count('hub-kill') >= 5)
    assert.ok(count('hub-cut', 'processor-cut') >= 40)
    assert.ok(count('processor-freeze') >= 10)
  })

  it('strikes within its duration, in order, for as long as each nemesis may last', () => {
    const plan = planStorm(9, MINUTE, NEMESES)
    for (const [index, { atMs, holdMs, kind }] of plan.entries()) {
      assert.ok(atMs >= (plan[index - 1]?.atMs ?? 0) && atMs <= MINUTE)
      assert.ok(holdMs >= kind.holdMs[0] && holdMs <= kind.holdMs[1])
    }
  })

  it('has every common nemesis at least once, however short it is', () => {
    const struck = new Set(planStorm(2, MINUTE / 4, chooseNemeses(undefined)).map(({ kind }) => kind.name))
    for (const { name, perTenMinutes, isOptional } of NEMESES) {
      if (perTenMinutes >= 4 && !isOptional) assert.ok(struck.has(name), name)
    }
  })

  it('refuses a nemesis that does not exist, by name', () => {
    assert.throws(() => chooseNemeses(['processor-kill', 'earthquake']), /no nemesis earthquake/)
  })
})
