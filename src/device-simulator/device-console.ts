import type { CommandDevice } from '../hub/drivers/command-sensor/command-device.js'

const HELP = `start, stop, sample, help, quit; to the device: CALIBRATE, GET_STATUS, RESET, SET_RATE=<ms>, START, STOP`

/** One line typed at the console. @returns what to print; `undefined`: the user wants to leave */
export function consoleAnswer(device: CommandDevice, line: string): string | undefined {
  switch (line.trim()) {
    case 'quit':
    case 'exit':
      return undefined
    case 'help':
      return HELP
    case 'start':
      return device.execute('START')
    case 'stop':
      return device.execute('STOP')
    case 'sample':
      return device.sample() ?? `no sample: the device is ${device.state}`
    default:
      return device.execute(line)
  }
}
