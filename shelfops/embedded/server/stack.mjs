// Room for PostgreSQL's stack, and the check that it is not overrun.
//
// This build has 64 KB of stack, and PostgreSQL believes that it has 2 MB
// (max_stack_depth): some fifty nested function calls overwrite its static data and hang
// it. Nor does it ever note where its stack begins, without which it checks nothing. So,
// before any of it runs, the stack pointer (an ordinary global of the module) moves to
// the heap, and then the place where the stack begins is written for it.

const STACK_BYTES = 8 * 1024 * 1024
// `stack_base_ptr` of stack_depth.c, as check_stack_depth() in this version's code reads
// it: the module's memory base and an offset. Proved at every start.
const STACK_BASE_WORD = (1024 + 2539500) / 4

function move(module) {
  const bottom = module._malloc(STACK_BYTES)
  module.___stack_pointer.value = (bottom + STACK_BYTES) & ~15
  module.stackTop = module.___stack_pointer.value
}

// In the form of a PGlite extension: only those may change how the module starts.
export const roomyStack = {
  name: 'roomy stack',
  setup: async (_pglite, emscriptenOpts) => {
    emscriptenOpts.preRun.push((module) => {
      module.onRuntimeInitialized = () => move(module)
    })
    return { emscriptenOpts }
  },
}

// Makes PostgreSQL answer too deep a recursion with an error, or throws.
export function guardStack(backend) {
  const { module } = backend
  if (module.HEAPU32[STACK_BASE_WORD] !== 0) throw new Error('the stack base is elsewhere')
  module.HEAPU32[STACK_BASE_WORD] = module.stackTop + 2 * STACK_BYTES
  const refused = backend.query('SELECT 1').error?.C === '54001'
  module.HEAPU32[STACK_BASE_WORD] = module.stackTop
  if (!refused) throw new Error('the stack base is not where it was expected')
  backend.must('SELECT 1')
}
