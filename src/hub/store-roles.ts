import type { Role } from '#core/transport/redis/doctor/rights'
import type { HubOptions } from './config/hub-options.js'

/** What the hub does with a queue; in list mode it only pushes. */
export function rolesOf({ publish }: Pick<HubOptions, 'publish'>): Role[] {
  return publish.mode === 'list' ? [] : ['producer']
}
