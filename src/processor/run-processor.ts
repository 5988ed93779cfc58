import { formatProblem } from '#core/options/config-source'
import { createLogger } from '../host/logger.js'
import { runProgram } from '../host/program.js'
import { readHandlerSpecs } from './config/handler-specs.js'
import { readProcessorOptions } from './config/processor-options.js'
import { ProcessorProgram } from './processor-program.js'

/** The program itself, until it is told to end. @throws TLM_OPTIONS_INVALID */
export async function runProcessor(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const command = readProcessorOptions(argv, env)
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
