// The embedded TimescaleDB: listens on the loopback interface until it is told to stop.
//
// Says on standard output, in one line of JSON, that it is ready or why not. Where
// standard input is a pipe, its end (the death of whoever started this) ends the program.

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { Engine } from './engine.mjs'
import { openLog } from './log.mjs'
import { Session } from './session.mjs'
import { createCluster } from './template.mjs'

const { values: options } = parseArgs({
  options: {
    state: { type: 'string' }, // JSON file with {"passwords": {role: password}}
    port: { type: 'string' },
    'data-dir': { type: 'string' }, // absent: in memory
    log: { type: 'string' },
    temporary: { type: 'string' }, // a directory to remove at the end
    'watch-stdin': { type: 'boolean', default: false },
  },
})
const IDLE_LIMIT = Number(process.env.SHELFOPS_EMBEDDED_IDLE_SECONDS ?? 30) * 1000
const IDLE_HINT =
  'The embedded engine runs one transaction at a time. A program that uses a second ' +
  'connection while a transaction is open on its first one waits for itself.'
const RESTARTS = Number(process.env.SHELFOPS_EMBEDDED_RESTARTS ?? 5) // within RESTART_PERIOD; more means that restarting does not help
const RESTART_PERIOD = 10 * 60 * 1000
const EXIT_TRAP = 70
const STOP_LIMIT = 15 * 1000

const log = openLog(options.log)
const dataDir = options['data-dir'] ?? null
const engine = new Engine({ dataDir })
const sessions = new Set()
let restarts = []
let lastSession = 0
let stopping = false

function passwords() {
  return JSON.parse(readFileSync(options.state, 'utf8')).passwords
}

const server = createServer((socket) => {
  const onClose = (session) => sessions.delete(session)
  sessions.add(new Session(socket, { id: ++lastSession, engine, passwords, onClose }))
})

function tell(message) {
  process.stdout.write(JSON.stringify(message) + '\n')
}

async function start() {
  if (dataDir && !existsSync(dataDir)) {
    log(`creating ${dataDir}`)
    await createCluster(dataDir)
  }
  await engine.start()
  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(Number(options.port), '127.0.0.1', resolve)
  })
  log(`ready on port ${options.port}, ${dataDir ? 'on disk' : 'in memory'}`)
  tell({ ready: true })
}

function leave(code) {
  if (options.temporary) rmSync(options.temporary, { recursive: true, force: true })
  process.exit(code)
}

async function stop(reason) {
  if (stopping) return
  stopping = true
  // A statement that never ends must not keep the process alive.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), STOP_LIMIT).unref()
  log(`stopping: ${reason}`)
  server.close()
  for (const session of sessions) session.fatal('57P01', 'the embedded engine is stopping')
  await engine.settled()
  await engine.stop()
  log('stopped')
  leave(0)
}

engine.on('trap', async (text) => {
  log(`the engine failed: ${text}`)
  const now = Date.now()
  restarts = [...restarts.filter((time) => now - time < RESTART_PERIOD), now]
  const restarting = dataDir && restarts.length <= RESTARTS
  for (const session of sessions) session.onTrap(trapText(restarting))
  try {
    if (!restarting) throw new Error(trapText(false))
    await engine.start()
    log('restarted on the same data')
  } catch (error) {
    log(`not restarted: ${error.message}`)
    setTimeout(() => leave(EXIT_TRAP), 200) // the last messages go out first
  }
})

function trapText(restarting) {
  if (restarting) {
    return 'the embedded engine failed and is restarting; what was committed is kept, connect again'
  }
  return dataDir
    ? 'the embedded engine failed too often and has stopped; its log says why'
    : 'the embedded engine failed; it was in memory, so its data is gone'
}

function evictIdle() {
  if (!engine.waiting || !engine.holder) return
  if (engine.holder.idleFor(Date.now()) < IDLE_LIMIT) return
  log(`session ${engine.holder.id} ended: others were waiting for it`)
  engine.holder.fatal('25P03', 'others are waiting for this idle transaction to end', IDLE_HINT)
}

setInterval(evictIdle, Math.min(1000, IDLE_LIMIT / 4)).unref()
process.on('SIGTERM', () => stop('asked to'))
process.on('SIGINT', () => stop('interrupted'))
if (options['watch-stdin']) {
  process.stdin.on('end', () => stop('its parent has gone'))
  process.stdin.on('error', () => stop('its parent has gone'))
  process.stdin.resume()
}

try {
  await start()
} catch (error) {
  log(`could not start: ${error.stack}`)
  tell({ error: error.message, code: error.code ?? null })
  process.exitCode = 1
  setTimeout(() => process.exit(1), 100)
}
