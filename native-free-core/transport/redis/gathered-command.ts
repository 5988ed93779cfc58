import { Command } from 'ioredis'

/** Smaller arguments are copied together with what is around them: a piece of its own costs more. Bytes. */
const MIN_PIECE_BYTES = 1024

/** What a command is written to. */
interface CorkableStream {
  cork(): void
  uncork(): void
  write(piece: string | Buffer): boolean
}

/**
 * A command whose large arguments go to the socket as they are, in one gathering write with what is around them. ioredis
 * copies a command into a buffer of its own first: with some hundred KB of bodies that buffer is fresh memory each time,
 * and filling, collecting and giving it back cost more than all else that the client does.
 *
 * The arguments must not change until the command is answered or rejected. Not for pipelines, which gather by themselves.
 */
export class GatheredCommand extends Command {
  /** @param args buffers, or what becomes text; errors and texts in the reply are strings */
  constructor(name: string, args: readonly (string | number | Buffer)[]) {
    super(name, [...args], { replyEncoding: 'utf8' })
  }

  /** Writes all but the end, which it returns: ioredis writes that. The stream is corked until the next tick. */
  override toWritable(stream: object): string {
    const socket = stream as CorkableStream
    socket.cork()
    process.nextTick(() => socket.uncork())
    let text = `*${this.args.length + 1}\r\n${bulk(this.name)}`
    for (const argument of this.args) {
      if (!Buffer.isBuffer(argument)) {
        text += bulk(String(argument))
        continue
      }
      text += `$${argument.length}\r\n`
      if (argument.length < MIN_PIECE_BYTES) {
        socket.write(Buffer.concat([Buffer.from(text), argument]))
      } else {
        socket.write(text)
        socket.write(argument)
      }
      text = '\r\n'
    }
    return text
  }
}

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}
