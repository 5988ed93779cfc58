import { examineStore } from '../host/examine-store.js'
import { readProcessorOptions } from '../processor/config/processor-options.js'
import { PROCESSOR_ROLES } from '../processor/processor-roles.js'
import { EXIT, type Subcommand } from './command-context.js'

/** `processor doctor`: what is wrong with the store for what a processor does with it. */
export const runDoctor: Subcommand = async (argv, { env, out }) => {
  const command = readProcessorOptions(argv, env)
  if (command.kind === 'print') {
    out.write(`${command.text}\n`)
    return EXIT.ok
  }
  return examineStore(command.options.store, PROCESSOR_ROLES)
}
