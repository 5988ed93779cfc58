import { modbusDriver } from '../modbus/modbus-driver.js'
import { RTU_FRAMING } from '../modbus/rtu-framing.js'

export const driver = modbusDriver({
  name: 'modbus-rtu',
  summary: 'registers of a Modbus device on a serial line, or behind a serial server',
  source: 'MODBUS Application Protocol V1.1b3, MODBUS over serial line V1.02',
  buses: ['serial', 'tcp'],
  framing: RTU_FRAMING,
  unitIds: [1, 247],
})
