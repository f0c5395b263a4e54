import { type ChildProcess, spawn } from 'node:child_process'

/**
 * A process that is to end with this one, however this one ends: a second one waits for that, and kills it then. `isGroup`: it leads
 * a group of processes (`detached`), and they end with it.
 */
export function tether(child: ChildProcess, isGroup = false): void {
  const script = 'cat > /dev/null; kill -s KILL -- "$1" 2> /dev/null'
  const watchdog = spawn('sh', ['-c', script, 'sh', `${isGroup ? '-' : ''}${child.pid}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watchdog.on('error', () => {})
  watchdog.stdin.on('error', () => {})
  watchdog.unref()
  // Its number may belong to another process by then.
  child.once('exit', () => process.kill(-watchdog.pid!, 'SIGKILL'))
}
