/** `node dist/hub.js`: reads sensors and stores their samples; or a subcommand. */
import { HUB_COMMANDS, runSubcommand } from './cli/subcommand.js'
import { exitCodeOf, reportFatal } from './host/program.js'

try {
  const argv = process.argv.slice(2)
  const exitCode = await runSubcommand(HUB_COMMANDS, argv, process.env)
  if (exitCode === undefined) {
    // Only now: a subcommand needs neither the threads nor the server.
    const { runHub } = await import('./hub/run-hub.js')
    await runHub(argv, process.env)
  } else {
    process.exitCode = exitCode
  }
} catch (error) {
  reportFatal(error)
  process.exitCode = exitCodeOf(error)
}
