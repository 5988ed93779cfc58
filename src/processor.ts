/** `node dist/processor.js`: takes stored batches, runs the handlers over them, writes findings. */
import { formatProblem } from '#core/options/config-source'
import { examineStore } from './host/examine-store.js'
import { createLogger } from './host/logger.js'
import { exitCodeOf, reportFatal, runProgram } from './host/program.js'
import { readHandlerSpecs } from './processor/config/handler-specs.js'
import { readProcessorOptions } from './processor/config/processor-options.js'
import { PROCESSOR_ROLES, ProcessorProgram } from './processor/processor-program.js'

try {
  const [subcommand, ...rest] = process.argv.slice(2)
  const isDoctor = subcommand === 'doctor'
  const command = readProcessorOptions(isDoctor ? rest : process.argv.slice(2), process.env)
  if (command.kind === 'print') {
    console.log(command.text)
  } else if (isDoctor) {
    process.exitCode = await examineStore(command.options.store, PROCESSOR_ROLES)
  } else {
    const { options, problems } = command
    const handlers = readHandlerSpecs(options.handlers)
    const log = createLogger({ name: 'processor', ...options.log })
    for (const problem of problems) log.warn(formatProblem(problem))
    await runProgram(new ProcessorProgram(options, handlers, log), log)
  }
} catch (error) {
  reportFatal(error)
  process.exitCode = exitCodeOf(error)
}
