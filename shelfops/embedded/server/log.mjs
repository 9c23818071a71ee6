// A log file with one earlier generation.

import { appendFileSync, renameSync, statSync } from 'node:fs'

const LIMIT = 5 * 1024 * 1024

export function openLog(path) {
  return (text) => {
    const line = `${new Date().toISOString()} ${text}\n`
    if (!path) return
    appendFileSync(path, line, { mode: 0o600 })
    if (statSync(path).size > LIMIT) renameSync(path, `${path}.1`)
  }
}
