/** What a processor does with a queue: it reads shards, and stores what was pushed to the inbox. */
export const PROCESSOR_ROLES = ['stream', 'inbox', 'producer'] as const
