/** A serial device in software: `node dist/device-simulator.js --help`. */
import { createInterface } from 'node:readline'
import { consoleAnswer } from './device-simulator/device-console.js'
import { serveDevice, serveOverTcp } from './device-simulator/serve-device.js'
import { readSimulatorOptions, SIMULATOR_HELP } from './device-simulator/simulator-options.js'
import { exitCodeOf, reportFatal } from './host/program.js'
import { CommandDevice } from './hub/drivers/command-sensor/command-device.js'
import { VirtualCommandSensor } from './hub/drivers/command-sensor/virtual-command-sensor.js'

try {
  const options = readSimulatorOptions(process.argv.slice(2))
  if (options.isHelp) console.log(SIMULATOR_HELP)
  else if (options.tcpPort !== undefined) {
    const port = await serveOverTcp(new VirtualCommandSensor(options), options.tcpPort)
    console.log(`The device listens on 127.0.0.1:${port}. Ctrl-C ends it.`)
  } else if (process.stdin.isTTY) await talk(new CommandDevice(options))
  else await serveDevice(new VirtualCommandSensor(options), process.stdin, process.stdout)
} catch (error) {
  reportFatal(error)
  process.exitCode = exitCodeOf(error)
}

async function talk(device: CommandDevice): Promise<void> {
  const prompt = () => `[${device.state}] > `
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: prompt() })
  lines.prompt()
  for await (const line of lines) {
    const answer = consoleAnswer(device, line)
    if (answer === undefined) break
    console.log(answer)
    lines.setPrompt(prompt())
    lines.prompt()
  }
  lines.close()
}
