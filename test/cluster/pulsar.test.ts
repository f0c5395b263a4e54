import { pulsar } from '../support/services/pulsar-backend.ts'
import { testCluster } from './cluster.ts'

testCluster(pulsar)
