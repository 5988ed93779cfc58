import { Redis } from 'ioredis'
import { pass, trace } from './failpoints.js'
import { type SentCommand, stepOf } from './redis-steps.js'

const FENCED = -2

interface Command extends SentCommand {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** Passes a point before each step is sent to Redis, and one when its reply is there and not yet told. */
export function watchRedis(): void {
  const { sendCommand } = Redis.prototype
  Redis.prototype.sendCommand = function (this: Redis, ...given: Parameters<typeof sendCommand>) {
    const command = given[0] as unknown as Command
    const step = stepOf(command)
    if (step !== undefined) {
      pass(step, 'before')
      const { resolve } = command
      command.resolve = (value) => {
        if (isAnswer(step, value)) {
          if (isRefused(step, value)) trace(`fenced ${step}`)
          if (pass(step, 'replied') === 'lose') {
            this.disconnect()
            return command.reject(new Error('Connection is closed.'))
          }
        }
        resolve(value)
      }
    }
    return sendCommand.apply(this, given)
  }
}

/** A read that brought nothing is none. */
function isAnswer(step: string, value: unknown): boolean {
  return step !== 'read' || value !== null
}

/** A step that a former owner tried: Redis did nothing. */
function isRefused(step: string, value: unknown): boolean {
  return value === FENCED || (value === 0 && (step === 'renew' || step === 'regroup'))
}
