/** The hub: `node dist/hub.js --help`. */
import { examineStore } from './host/examine-store.js'
import { createLogger } from './host/logger.js'
import { exitCodeOf, reportFatal, runProgram } from './host/program.js'
import { readHubOptions } from './hub/config/hub-options.js'
import { HubProgram, rolesOf } from './hub/hub-program.js'

try {
  const [subcommand, ...rest] = process.argv.slice(2)
  const isDoctor = subcommand === 'doctor'
  const command = await readHubOptions(isDoctor ? rest : process.argv.slice(2), process.env)
  if (command.kind === 'print') console.log(command.text)
  else if (isDoctor) process.exitCode = await examineStore(command.options.store, rolesOf(command.options))
  else {
    const { options, problems } = command
    const log = createLogger({ name: 'hub', ...options.log })
    for (const { origin, key, reason, fix } of problems) log.warn({ origin, key, fix }, reason)
    await runProgram(new HubProgram(options, log), log)
  }
} catch (error) {
  reportFatal(error)
  process.exitCode = exitCodeOf(error)
}
