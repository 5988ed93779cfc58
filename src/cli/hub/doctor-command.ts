import { examineStore } from '../../host/examine-store.js'
import { readHubOptions } from '../../hub/config/hub-options.js'
import { rolesOf } from '../../hub/store-roles.js'
import { EXIT, type Subcommand } from '../command-context.js'

/** `hub doctor`: what is wrong with the store for what a hub does with it. */
export const runHubDoctor: Subcommand = async (argv, { env, out }) => {
  const command = await readHubOptions(argv, env)
  if (command.kind === 'print') {
    out.write(`${command.text}\n`)
    return EXIT.ok
  }
  return examineStore(command.options.store, rolesOf(command.options))
}
