import { createLogger } from '../host/logger.js'
import { runProgram } from '../host/program.js'
import { readHubOptions } from './config/hub-options.js'
import { HubProgram } from './hub-program.js'

/** Runs the hub until it is told to end; with `--help` or `--version` prints that. @throws TLM_OPTIONS_INVALID */
export async function runHub(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const command = await readHubOptions(argv, env)
  if (command.kind === 'print') {
    console.log(command.text)
    return
  }
  const { options, problems } = command
  const log = createLogger({ name: 'hub', ...options.log })
  for (const { origin, key, reason, fix } of problems) log.warn({ origin, key, fix }, reason)
  await runProgram(new HubProgram(options, log), log)
}
