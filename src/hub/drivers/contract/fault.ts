import { TelemetryError } from '#core/errors/telemetry-error'

/**
 * Why a reading failed, the `result` label of `hub_device_reads_total`:
 * `timeout` no answer in time · `nack` nobody acknowledged · `crc` a checksum does not fit · `short` fewer bytes than
 * asked for · `io` the kernel or the adapter failed · `identity` another chip, or another device, than configured ·
 * `setup` calibration or configuration that cannot be · `exception` the device refused in its own protocol ·
 * `wrong_source` an answer of another device · `decode` bytes that mean nothing · `busy` the kernel or another program
 * holds it · `permission` · `missing` the device node or file is not there · `package` the optional package is not
 * installed · `overflow` the chip's own buffer ran over before it was read, samples are lost.
 */
export const FAULT_KINDS = [
  'timeout',
  'nack',
  'crc',
  'short',
  'io',
  'identity',
  'setup',
  'exception',
  'wrong_source',
  'decode',
  'busy',
  'permission',
  'missing',
  'package',
  'overflow',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** A reading that failed, and what to do about it in one sentence. */
export interface Fault {
  readonly fault: FaultKind
  readonly message: string
}

/**
 * The error that ports throw, and drivers while they talk to a chip.
 *
 * @param message what, where, and how to mend it
 */
export function readFault(fault: FaultKind, message: string, cause?: unknown): TelemetryError {
  return new TelemetryError('TLM_READ_FAILED', message, { fault }, cause)
}

/** The kind of a {@link readFault}; of any other error `io`. */
export function faultOf(error: unknown): FaultKind {
  const fault = error instanceof TelemetryError ? error.details.fault : undefined
  return FAULT_KINDS.find((kind) => kind === fault) ?? 'io'
}
