// SPDX-License-Identifier: Apache-2.0
// reauth - an unmodified confluent-kafka-go, librdkafka linked in: an
// idempotent producer, and a consumer beside it, for some seconds.
//
//	reauth TOPIC SECONDS NAME=VALUE...
//
// Each record has to arrive once and in order, and no error may be told.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func settings(more kafka.ConfigMap) *kafka.ConfigMap {
	for _, arg := range os.Args[3:] {
		if err := more.Set(arg); err != nil {
			fail("%s: %v", strings.SplitN(arg, "=", 2)[0], err)
		}
	}
	return &more
}

// Takes what the producer tells until its channel is closed.
func listen(producer *kafka.Producer, delivered *int64) {
	for event := range producer.Events() {
		switch e := event.(type) {
		case *kafka.Message:
			if e.TopicPartition.Error != nil {
				fail("delivery: %v", e.TopicPartition.Error)
			}
			atomic.AddInt64(delivered, 1)
		case kafka.Error:
			fail("producer: %v %v", e.Code(), e)
		}
	}
}

// Reads until `sent` records came, which is -1 while that isn't known.
func consume(topic string, sent *int64, done *sync.WaitGroup) {
	consumer, err := kafka.NewConsumer(settings(kafka.ConfigMap{
		"group.id": "none", "enable.auto.commit": false}))
	if err != nil {
		fail("consumer: %v", err)
	}
	err = consumer.Assign([]kafka.TopicPartition{{Topic: &topic, Offset: 0}})
	if err != nil {
		fail("assign: %v", err)
	}
	for next, idle := int64(0), 0; next != atomic.LoadInt64(sent); {
		switch e := consumer.Poll(200).(type) {
		case *kafka.Message:
			if string(e.Value) != strconv.FormatInt(next, 10) {
				fail("record %s where %d should be", e.Value, next)
			}
			next++
			idle = 0
		case kafka.Error:
			fail("consumer: %v %v", e.Code(), e)
		case nil:
			if idle++; idle > 300 {
				fail("no record after %d", next)
			}
		}
	}
	consumer.Close()
	done.Done()
}

func main() {
	topic := os.Args[1]
	seconds, _ := strconv.Atoi(os.Args[2])
	producer, err := kafka.NewProducer(settings(kafka.ConfigMap{
		"enable.idempotence": true, "linger.ms": 5}))
	if err != nil {
		fail("producer: %v", err)
	}
	delivered, sent := int64(0), int64(-1)
	var done sync.WaitGroup
	done.Add(1)
	go listen(producer, &delivered)
	go consume(topic, &sent, &done)
	n := int64(0)
	for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); n++ {
		err = producer.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic},
			Value:          []byte(strconv.FormatInt(n, 10))}, nil)
		if err != nil {
			fail("produce: %v", err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	if left := producer.Flush(30000); left > 0 {
		fail("%d records not delivered", left)
	}
	atomic.StoreInt64(&sent, n)
	done.Wait()
	producer.Close()
	if atomic.LoadInt64(&delivered) != n {
		fail("%d of %d delivered", delivered, n)
	}
	_, version := kafka.LibraryVersion()
	fmt.Printf("librdkafka %s: %d records, none lost or doubled, no error\n", version, n)
}
