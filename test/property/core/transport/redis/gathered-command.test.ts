import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Command } from 'ioredis'
import { GatheredCommand } from '#core/transport/redis/gathered-command'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

/** What a socket is told. */
class Recorder {
  readonly pieces: (string | Buffer)[] = []
  corks = 0

  cork(): void {
    this.corks++
  }

  uncork(): void {
    this.corks--
  }

  write(piece: string | Buffer): boolean {
    this.pieces.push(piece)
    return true
  }
}

/** As ioredis does: what is returned is written behind the rest. */
function send(command: Command): Recorder {
  const socket = new Recorder()
  socket.write(command.toWritable(socket))
  return socket
}

const bytesOf = ({ pieces }: Recorder) => Buffer.concat(pieces.map((piece) => Buffer.from(piece)))
const quiet = (command: Command) => {
  command.promise.catch(() => {})
  return command
}

test(`the bytes are those that ioredis writes, whatever the arguments (seed ${seed})`, () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant(''))
  const number = fc.oneof(fc.maxSafeNat(), fc.constant(1.7e15), fc.constant(-1))
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)),
    fc.integer({ min: 1000, max: 1100 }).map((length) => Buffer.alloc(length, 0xe9)),
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(text, number, bytes), { maxLength: 12 }), (args) => {
      const ours = bytesOf(send(quiet(new GatheredCommand('EVALSHA', args))))
      const theirs = bytesOf(send(quiet(new Command('EVALSHA', args))))
      assert.deepEqual(ours, theirs)
    }),
    { seed },
  )
})

test('a body is handed to the socket itself, small arguments with what is around them', () => {
  const body = Buffer.alloc(8000, 7)
  const { pieces } = send(quiet(new GatheredCommand('EVALSHA', ['sha', body, 5, Buffer.from('small'), body])))
  assert.equal(pieces.filter((piece) => piece === body).length, 2)
  assert.equal(pieces.length, 6)
})

test('the socket is corked until the next tick, and no longer', async () => {
  const socket = send(quiet(new GatheredCommand('EVALSHA', [Buffer.alloc(8000)])))
  assert.equal(socket.corks, 1)
  await new Promise(process.nextTick)
  assert.equal(socket.corks, 0)
})
