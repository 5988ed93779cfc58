import type { AnyPolledDriver, AnyStreamDriver } from '../drivers/contract/driver-module.js'

/**
 * Time between readings of a device, milliseconds: what it says, else the gateway's, or longer where its chip needs
 * longer.
 */
export function everyOf(
  driver: AnyPolledDriver | AnyStreamDriver,
  options: Record<string, unknown>,
  written: number | undefined,
  gatewayMs: number,
): number {
  if (written !== undefined || driver.kind !== 'polled') return written ?? gatewayMs
  return Math.max(gatewayMs, driver.shortestEveryMs(options))
}
