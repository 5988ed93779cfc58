/** `node dist/processor.js`: takes stored batches, runs the handlers over them, writes findings; or a subcommand. */
import { formatProblem } from '#core/options/config-source'
import { runSubcommand } from './cli/subcommand.js'
import { createLogger } from './host/logger.js'
import { exitCodeOf, reportFatal, runProgram } from './host/program.js'
import { readHandlerSpecs } from './processor/config/handler-specs.js'
import { readProcessorOptions } from './processor/config/processor-options.js'
import { ProcessorProgram } from './processor/processor-program.js'

try {
  const argv = process.argv.slice(2)
  const exitCode = await runSubcommand(argv, process.env)
  if (exitCode === undefined) await runProcessor(argv)
  else process.exitCode = exitCode
} catch (error) {
  reportFatal(error)
  process.exitCode = exitCodeOf(error)
}

async function runProcessor(argv: readonly string[]): Promise<void> {
  const command = readProcessorOptions(argv, process.env)
  if (command.kind === 'print') {
    console.log(command.text)
    return
  }
  const { options, problems } = command
  const handlers = readHandlerSpecs(options.handlers)
  const log = createLogger({ name: 'processor', ...options.log })
  for (const problem of problems) log.warn(formatProblem(problem))
  await runProgram(new ProcessorProgram(options, handlers, log), log)
}
