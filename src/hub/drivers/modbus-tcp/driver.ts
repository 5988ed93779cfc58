import { modbusDriver } from '../modbus/modbus-driver.js'
import { TCP_FRAMING } from '../modbus/tcp-framing.js'

export const driver = modbusDriver({
  name: 'modbus-tcp',
  summary: 'registers of a Modbus device on the network',
  source: 'MODBUS Application Protocol V1.1b3, MODBUS Messaging on TCP/IP V1.0b',
  buses: ['tcp'],
  framing: TCP_FRAMING,
  unitIds: [0, 255],
})
