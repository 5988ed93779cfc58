import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinePattern, patternCost } from '#src/hub/drivers/text/line-pattern'
import { faultLike } from '#test/support/driver-options'

test('named groups are fields, by whichever way the line is matched', () => {
  const cheap = new LinePattern('T=(?<temp>[-\\d.]+) H=(?<hum>[\\d.]+)')
  assert.deepEqual(cheap.groups, ['temp', 'hum'])
  assert.deepEqual({ ...(cheap.match('T=-20.5 H=50') as object) }, { temp: '-20.5', hum: '50' })
  assert.equal(cheap.match('T= H=50'), undefined)
  const guarded = new LinePattern('^(?:\\w+=(?<last>\\d+),?)+$')
  assert.deepEqual({ ...(guarded.match('a=1,b=2') as object) }, { last: '2' })
  assert.equal(guarded.match('a=1;b=2'), undefined)
})

test('a pattern that would take for ever is cut off, and named as wrong when it does so again and again', () => {
  const pattern = new LinePattern('^(?<a>(a+)+)$')
  const line = `${'a'.repeat(60)}b`
  assert.equal(pattern.match(line), 'too-slow')
  assert.equal(pattern.match(line), 'too-slow')
  assert.equal(typeof pattern.match('aaa'), 'object', 'one line that is fine begins the count anew')
  assert.equal(pattern.match(line), 'too-slow')
  assert.equal(pattern.match(line), 'too-slow')
  try {
    pattern.match(line)
    assert.fail('the third slow line must be named')
  } catch (error) {
    assert.ok(faultLike('setup', /over 100 ms for each of 3 lines/)(error))
  }
})

test('choices without characters, which no time limit can stop, are refused beyond a few', () => {
  for (const choice of ['(|)', '(?:a|)', '(?:^|$)', '(?:\\b|\\B)']) {
    assert.throws(() => new LinePattern(`^(?<a>${choice.repeat(30)})b$`), /choices without a character/, choice)
  }
  assert.deepEqual({ ...(new LinePattern('^(?:V |)(?<a>\\d)(?:;|$)').match('V 1;') as object) }, { a: '1' })
})

test('choices that match nothing are not taken for cheap, however short the line', () => {
  assert.equal(new LinePattern(`^(?<a>${'a?'.repeat(40)})b$`).match('a'.repeat(30)), 'too-slow')
})

test('the worst case is told from the pattern', () => {
  const degrees = {
    abc: 1,
    'a+b': 2,
    'T=(?<t>[-+*\\d]+)': 2,
    '[\\]*+]x': 1,
    '\\+\\*a?b{2,}?': 3,
    'a|b': 2,
    '(?:a|b)c*': 3,
    '(?<n>a+)b': 2,
    '(a+)+': Number.POSITIVE_INFINITY,
    '((a)b*)?': Number.POSITIVE_INFINITY,
    '(a|b){3}': Number.POSITIVE_INFINITY,
    '(a)\\1': Number.POSITIVE_INFINITY,
    '(?=a)b': Number.POSITIVE_INFINITY,
    '(?<!a)b': Number.POSITIVE_INFINITY,
  }
  for (const [source, degree] of Object.entries(degrees)) assert.equal(patternCost(source).degree, degree, source)
})

test('a pattern that is none, or names nothing, is refused', () => {
  assert.throws(() => new LinePattern('T=('), /no regular expression/)
  assert.throws(() => new LinePattern('T=(\\d+)'), /named groups/)
})
