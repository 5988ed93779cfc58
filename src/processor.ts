/** `node dist/processor.js`: takes stored batches, runs the handlers over them, writes findings; or a subcommand. */
import { PROCESSOR_COMMANDS, runSubcommand } from './cli/subcommand.js'
import { exitCodeOf, reportFatal } from './host/program.js'

try {
  const argv = process.argv.slice(2)
  const exitCode = await runSubcommand(PROCESSOR_COMMANDS, argv, process.env)
  if (exitCode === undefined) {
    // Only now: a subcommand needs neither the threads nor the server.
    const { runProcessor } = await import('./processor/run-processor.js')
    await runProcessor(argv, process.env)
  } else {
    process.exitCode = exitCode
  }
} catch (error) {
  reportFatal(error)
  process.exitCode = exitCodeOf(error)
}
