import { redis } from '../support/services/redis-backend.ts'
import { testCluster } from './cluster.ts'

testCluster(redis)
