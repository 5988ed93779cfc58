/** Holds the folder until its first module stands here. */
export {}
