import { postgres } from '../support/services/postgres-backend.ts'
import { testCluster } from './cluster.ts'

testCluster(postgres)
